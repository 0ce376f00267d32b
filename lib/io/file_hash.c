#include "lib/io/file_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

#define BLOCK ((size_t)1 << 20)

static int add_all(int fd, EVP_MD_CTX *sha, char *block)
{
	for (;;) {
		ssize_t n = read(fd, block, BLOCK);

		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error(STATUS_NOINPUT, "cannot be read: %s", strerror(errno));
		if (!EVP_DigestUpdate(sha, block, n))
			return error(STATUS_SYSTEM, "SHA-256 failed in OpenSSL");
	}
}

int file_hash(const char *path, char hash[80])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), status;
	unsigned char digest[32];
	EVP_MD_CTX *sha;
	char *block;

	if (fd < 0)
		return error(STATUS_NOINPUT, "%s: %s", path, strerror(errno));
	sha = EVP_MD_CTX_new();
	block = memory_new(1, BLOCK);
	status = !block || !sha || !EVP_DigestInit_ex(sha, EVP_sha256(), NULL)
			 ? error(STATUS_SYSTEM, "SHA-256 is not to be had from OpenSSL")
			 : add_all(fd, sha, block);
	if (!status && !EVP_DigestFinal_ex(sha, digest, NULL))
		status = error(STATUS_SYSTEM, "SHA-256 failed in OpenSSL");
	EVP_MD_CTX_free(sha);
	free(block);
	close(fd);
	if (status)
		return error_context(status, "%s", path);
	strcpy(hash, "sha256:");
	for (int i = 0; i < 32; i++)
		sprintf(hash + 7 + 2 * i, "%02x", digest[i]);
	return 0;
}
