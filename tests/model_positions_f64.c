#include "tests/model_positions.c"
