"""How the installation is: facts, each with what to do about it, for pages and commands.

Nothing here takes more than some seconds in all, whatever does not answer.
"""
