/*
 * Temporary files in $TMPDIR (or /tmp) through which standard input and output pass, since HDF5
 * needs files that it can seek in.
 */
#ifndef IO_SPOOL_H
#define IO_SPOOL_H

/* A new empty file, open for reading and writing. The caller unlinks and frees *path. */
int spool_file(char **path, int *fd);

/* Copies all of `from`, from its start, to `to`; STATUS_IO when it cannot be written whole. */
int spool_copy(int from, int to);

/* Copies what is left in `from`, until its end. */
int spool_rest(int from, int to);

#endif
