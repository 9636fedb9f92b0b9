// Debian's name for OpenBLAS's own header, which no other BLAS takes.
#if __has_include(<cblas-openblas.h>)
#include <cblas-openblas.h>
#else
#include <cblas.h>
#endif
