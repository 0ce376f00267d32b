/* What the files of lib/cli share. */
#ifndef CLI_INTERNAL_H
#define CLI_INTERNAL_H

#include "lib/cli/cli.h"

/* The standard options as a child parser. */
const struct argp *cli_standard(unsigned options);
/* Cores that this process may use, or as OMP_NUM_THREADS says. */
int cli_default_threads(void);

/* Ends a progress line of a terminal before other words are printed. */
void progress_interrupt(void);

#endif
