#include "tests/vim_formula.c"
