/* What Swift cannot reach by itself: functions behind feature macros and variadic system calls. */
#ifndef CTERMINAL_H
#define CTERMINAL_H

#include <spawn.h>
#include <stddef.h>
#include <sys/types.h>

/* Opens the master side of a new pseudo-terminal: close-on-exec, not our controlling terminal, with a
   size; puts the other side's path into `path`. Returns the descriptor, or -1 with errno set. */
int cterminal_open(char *path, size_t capacity, unsigned short rows, unsigned short columns);

/* Opens a pipe, close-on-exec. Returns 0, or -1 with errno set. */
int cterminal_pipe(int ends[2]);

/* Changes the size of a terminal; its foreground process group gets SIGWINCH. */
int cterminal_resize(int master, unsigned short rows, unsigned short columns);

/* A close-on-exec descriptor that becomes readable when the child ends. */
int cterminal_watch_child(pid_t child);

/* A close-on-exec event counter that never blocks. */
int cterminal_event_counter(void);

/* Sets the child's working folder. Returns an error number. */
int cterminal_start_in(posix_spawn_file_actions_t *actions, const char *folder);

/* Closes every descriptor from `first` on in the child. Returns an error number. */
int cterminal_close_from(posix_spawn_file_actions_t *actions, int first);

/* Keeps processes of the same user from reading this process's memory and environment. */
int cterminal_hide_memory(void);

#endif
