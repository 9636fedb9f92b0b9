// Sources of GraphIR follow.
