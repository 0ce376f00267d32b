/* As mamba_goldens.c, in double. */
#include "tests/mamba_goldens.c"
