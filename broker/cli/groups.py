"""Groups of verbs: one that is mistyped is answered with the nearest."""

import difflib

import click


class Group(click.Group):
    """A group that names the verbs that look like an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that `args` begin with.

        Raises:
            click.UsageError: there is none.
        """
        word = args[0]
        if not word.startswith("-") and self.get_command(ctx, word) is None:
            near = difflib.get_close_matches(word, self.list_commands(ctx))
            remedy = f"did you mean {' or '.join(near)}?" if near else "see --help"
            ctx.fail(f"there is no verb {word!r}; {remedy}")
        return super().resolve_command(ctx, args)
