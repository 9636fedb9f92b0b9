// Sources of Compiler follow.
