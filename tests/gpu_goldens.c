/* The networks of model_goldens.c on a GPU, in fp32. */
#define ON_GPU 1
#include "tests/model_goldens.c"
