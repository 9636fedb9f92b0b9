// Sources of Passes follow.
