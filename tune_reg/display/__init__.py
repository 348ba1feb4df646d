"""What a person sees of a study, in a terminal, a file or a notebook: its plan, its progress, its result table."""
