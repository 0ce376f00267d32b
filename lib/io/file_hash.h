/* SHA-256 of a file's bytes as "sha256:<64 hex digits>". STATUS_NOINPUT when it cannot be read. */
#ifndef IO_FILE_HASH_H
#define IO_FILE_HASH_H

int file_hash(const char *path, char hash[80]);

#endif
