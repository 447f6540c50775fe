"""Pages that need nothing but this app; those of templates that show recipients are above."""
