#include "tests/model_goldens.c"
