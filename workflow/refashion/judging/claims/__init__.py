"""Claims of the papers: their forms, how they are checked, tested and put into words."""
