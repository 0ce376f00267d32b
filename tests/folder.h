/* A folder of a test's own, made when it is first asked for. */
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder_name[] = "/tmp/transmamba-XXXXXX";

__attribute__((unused)) static const char *test_folder(void)
{
	if (strstr(folder_name, "XXXXXX") && !mkdtemp(folder_name))
		exit(71);
	return folder_name;
}

/* A path in it; eight rotate. */
__attribute__((unused)) static char *in_folder(const char *name)
{
	static char path[8][256];
	static int turn;

	turn = (turn + 1) % 8;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", test_folder(), name);
	return path[turn];
}

/* Removes a folder with all that is in it; 0 when that went well. */
__attribute__((unused)) static int remove_folder(const char *path)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		execlp("rm", "rm", "-rf", path, (char *)0);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status;
}

#endif
