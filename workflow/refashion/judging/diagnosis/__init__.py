"""What a paper's numbers and our runs of it give away, held against what the images allow."""
