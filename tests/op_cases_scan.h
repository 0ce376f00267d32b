/* Cases of the ops in ops_scan.c and ops_loss.c. */
static const struct op_case cases_scan[] = {{0}};
