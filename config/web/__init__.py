"""The shell of the pages that staff work with: who may open what, the menu, the headers."""
