#define _GNU_SOURCE
#include "clinux.h"

#include <malloc.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timex.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

int clinux_clock_synchronised(void) {
  struct timex state;
  memset(&state, 0, sizeof state);
  return adjtimex(&state) >= 0 && !(state.status & STA_UNSYNC);
}

void clinux_thread_name(pthread_t thread, const char *name) {
  char kept[16];
  strncpy(kept, name, sizeof kept - 1);
  kept[sizeof kept - 1] = 0;
  pthread_setname_np(thread, kept);
}

int clinux_peer_credentials(int fd, uid_t *uid, gid_t *gid, pid_t *pid) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -1;
  *uid = peer.uid;
  *gid = peer.gid;
  *pid = peer.pid;
  return 0;
}

int clinux_peer_groups(int fd, gid_t *groups, int max) {
  socklen_t size = (socklen_t)max * sizeof(gid_t);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0) return -1;
  return (int)(size / sizeof(gid_t));
}

void clinux_small_heap(void) {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_TRIM_THRESHOLD, 128 * 1024);
}

void clinux_trim_heap(void) { malloc_trim(0); }
