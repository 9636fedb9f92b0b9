// Sources of Kernels follow.
