"""Messages that come back: stored first, worked off later.

They come from mailboxes (`polling`) or from a pipe (`receive_message`), are stored as they are
(`storing`), and read one by one (`handling`), where only a signed token says which message of ours
one is about (`naming`).
"""
