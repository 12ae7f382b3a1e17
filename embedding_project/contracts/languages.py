"""The languages whose words text search knows: those of Postgres 14 and later."""

OFF = "off"
"""In place of a language: no words are kept, and none are searched."""
LANGUAGES = (
    "simple", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "finnish", "french", "german",
    "greek", "hindi", "hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali", "norwegian", "portuguese",
    "romanian", "russian", "serbian", "spanish", "swedish", "tamil", "turkish", "yiddish",
)  # fmt: skip
"""`simple` takes each word as it stands, but for capitals; the others know its forms, and leave out words such as
`the`."""
TEXT_SEARCH = (OFF, *LANGUAGES)
