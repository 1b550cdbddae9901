"""The HTTP API under `/v1`: one router a noun, thin over `broker.control`.

Owns how requests are read and answers are shown. Does not own any rule: those are `domain`'s and
`control`'s. `create_app(services)` in `app.py` puts it together.
"""
