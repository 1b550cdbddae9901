import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;

/** Reads lines "reader TAB writer", answers each with Java's verdict. */
public final class Judge {
  public static void main(String[] arguments) throws Exception {
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] pair = line.split("\t");
      System.out.println(verdict(pair[0], pair[1]));
    }
  }

  private static String verdict(String reader, String writer) {
    try {
      return SchemaCompatibility.checkReaderWriterCompatibility(
              new Schema.Parser().parse(reader), new Schema.Parser().parse(writer))
          .getType()
          .name();
    } catch (RuntimeException refused) {
      return "REFUSED " + refused.getMessage().replace('\n', ' ');
    }
  }
}
