// Sources of Operators follow.
