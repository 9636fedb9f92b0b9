// Sources of Planning follow.
