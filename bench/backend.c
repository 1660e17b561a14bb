/* The bench's backend: answers chat requests as fast as one core can, unary, as a stream flat out, or paced.
 *
 * Usage: backend PORT CHUNKS PACE_MS. A request whose body contains `"stream":true` gets CHUNKS server-sent events,
 * each in a chunk and a write of its own, PACE_MS apart (0: flat out); any other gets a completion of 600 bytes, and
 * a GET the list of models, whatever its path. It answers on every address of the loopback device, so that 127.0.0.1 to
 * 127.0.3.232 can stand for a thousand backends. One thread, one epoll. A body that does not fit into the buffer is
 * read and thrown away; only one that fits can ask for a stream. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 65536
#define MAX_FD 65536

struct conn {
  int used, left;          /* bytes in `in`; events still to send, -1 for the end of the stream */
  long skipped;            /* bytes of a large body that are still to come */
  long long due;           /* when the next event is due, microseconds */
  char in[BUFFER];
};

static struct conn *conns[MAX_FD];
static int paced[MAX_FD], paced_count, chunks, pace_ms;
static char unary[2048], event[512];
static int unary_length, event_length;
static const char MODELS[] =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 72\r\n\r\n"
    "{\"object\":\"list\",\"data\":[{\"id\":\"m\",\"object\":\"model\",\"max_model_len\":9}]}";
static const char HEAD[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
static const char TAIL[] = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";

static long long now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void drop(int fd) {
  for (int i = 0; i < paced_count; i++)
    if (paced[i] == fd) { paced[i] = paced[--paced_count]; break; }
  free(conns[fd]);
  conns[fd] = NULL;
  close(fd);
}

static int say(int fd, const char *data, int length) {
  while (length) {
    ssize_t n = send(fd, data, length, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) { usleep(50); continue; }
    if (n <= 0) return -1;
    data += n;
    length -= n;
  }
  return 0;
}

static int begin(int fd, struct conn *c, int stream) {
  if (!stream) return say(fd, unary, unary_length);
  if (say(fd, HEAD, sizeof HEAD - 1)) return -1;
  if (!pace_ms) {
    for (int i = 0; i < chunks; i++)
      if (say(fd, event, event_length)) return -1;
    return say(fd, TAIL, sizeof TAIL - 1);
  }
  c->left = chunks;
  c->due = now_us() + pace_ms * 1000LL;
  paced[paced_count++] = fd;
  return 0;
}

/* Serves every whole request in the buffer; returns -1 if the connection is to be closed. */
static int serve(int fd, struct conn *c) {
  for (;;) {
    char *end = memmem(c->in, c->used, "\r\n\r\n", 4);
    if (!end) return c->used == BUFFER ? -1 : 0;
    long head = end - c->in + 4, body = 0;
    for (char *line = c->in; line < end; line = (char *)memchr(line, '\n', end + 2 - line) + 1)
      if (!strncasecmp(line, "content-length:", 15)) body = atol(line + 15);
    if (head + body > BUFFER) {
      c->skipped = head + body - c->used;
      c->used = 0;
      return c->skipped ? 0 : say(fd, unary, unary_length);
    }
    if (c->used < head + body) return 0;
    int stream = memmem(c->in + head, body, "\"stream\":true", 13) != NULL;
    if (strncmp(c->in, "GET ", 4) ? begin(fd, c, stream) : say(fd, MODELS, sizeof MODELS - 1)) return -1;
    c->used -= head + body;
    memmove(c->in, c->in + head + body, c->used);
  }
}

static void pace(void) {
  long long now = now_us();
  for (int i = 0; i < paced_count; i++) {
    int fd = paced[i];
    struct conn *c = conns[fd];
    if (c->due > now) continue;
    c->due += pace_ms * 1000LL;
    if (c->left-- > 0) {
      if (say(fd, event, event_length)) { drop(fd); i--; }
    } else {
      paced[i--] = paced[--paced_count];
      if (say(fd, TAIL, sizeof TAIL - 1)) drop(fd);
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "usage: backend PORT CHUNKS PACE_MS\n"), 2;
  chunks = atoi(argv[2]);
  pace_ms = atoi(argv[3]);
  char body[600];
  int n = snprintf(body, sizeof body,
                   "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
                   "\"message\":{\"role\":\"assistant\",\"content\":\"");
  memset(body + n, 'x', sizeof body - n);
  const char *tail = "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":9,\"total_tokens\":18}}";
  memcpy(body + sizeof body - strlen(tail), tail, strlen(tail));
  unary_length = snprintf(unary, sizeof unary, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%.*s",
                          sizeof body, (int)sizeof body, body);
  const char *data = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
                     "\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n";
  event_length = snprintf(event, sizeof event, "%zx\r\n%s\r\n", strlen(data), data);

  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  if (setsockopt(listener, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3)) address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) return perror("backend"), 1;
  int poll = epoll_create1(0);
  struct epoll_event added = {.events = EPOLLIN, .data.fd = listener}, ready[512];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &added);
  for (;;) {
    int count = epoll_wait(poll, ready, 512, paced_count ? 1 : -1);
    for (int i = 0; i < count; i++) {
      int fd = ready[i].data.fd;
      if (fd == listener) {
        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          conns[fd] = calloc(1, sizeof(struct conn));
          struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
          epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
        }
        continue;
      }
      struct conn *c = conns[fd];
      ssize_t n = recv(fd, c->in + c->used, BUFFER - c->used, 0);
      if (n <= 0) { if (n == 0 || errno != EAGAIN) drop(fd); continue; }
      if (c->skipped) { /* never more than one request at a time, so what comes is its body */
        c->skipped -= n;
        if (!c->skipped && say(fd, unary, unary_length)) drop(fd);
        continue;
      }
      c->used += n;
      if (serve(fd, c)) drop(fd);
    }
    if (paced_count) pace();
  }
}
