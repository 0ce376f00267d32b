/*
 * Energy that a GPU has used, from NVML, which is loaded at run time where the driver brings it.
 */
#ifndef PROGRAM_ENERGY_H
#define PROGRAM_ENERGY_H

/* Joules since the driver was loaded, of the CUDA device of that number; < 0: not to be had. */
double energy_joules(int index);
/* Why not, for people; "" when it is. */
const char *energy_reason(void);

#endif
