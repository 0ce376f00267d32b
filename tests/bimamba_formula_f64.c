#include "tests/bimamba_formula.c"
