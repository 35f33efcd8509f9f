/* An SMSC that takes everything: smpp_sink [LATENCY_MS].

   Answers each submit_sm with a decimal id, at once or after so many milliseconds; every bind is let
   in, every other request is answered without a body. Prints its port when it listens; ends when its
   standard input does, and prints how many submit_sm came. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 64
#define ROOM (1 << 20)
#define QUEUE (1 << 16)

struct line {
    int fd;
    size_t have;
    unsigned char in[ROOM];
    size_t ready;
    unsigned char out[ROOM];
    uint32_t first, last;
    struct { double due; uint32_t sequence; } waiting[QUEUE];
};

static struct line *lines[MOST];
static int count;
static unsigned long taken;
static double latency;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static uint32_t get(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static void put(unsigned char *at, uint32_t value) {
    value = htonl(value);
    memcpy(at, &value, 4);
}

static void flush(struct line *line) {
    size_t sent = 0;
    while (sent < line->ready) {
        ssize_t wrote = send(line->fd, line->out + sent, line->ready - sent, MSG_NOSIGNAL);
        if (wrote <= 0)
            break;
        sent += wrote;
    }
    line->ready = 0;
}

static void answer(struct line *line, uint32_t command, uint32_t sequence, const char *body) {
    size_t length = 16 + (body ? strlen(body) + 1 : 0);
    if (line->ready + length > ROOM)
        flush(line);
    unsigned char *at = line->out + line->ready;
    put(at, length);
    put(at + 4, command | 0x80000000u);
    put(at + 8, 0);
    put(at + 12, sequence);
    if (body)
        memcpy(at + 16, body, length - 16);
    line->ready += length;
}

static void take(struct line *line, uint32_t sequence) {
    char id[16];
    snprintf(id, sizeof id, "%lu", 1000000 + taken++);
    answer(line, 4, sequence, id);
}

static int receive(struct line *line) {
    ssize_t got = recv(line->fd, line->in + line->have, ROOM - line->have, 0);
    if (got <= 0)
        return 0;
    line->have += got;
    size_t at = 0;
    double due = now() + latency;
    while (line->have - at >= 16) {
        uint32_t length = get(line->in + at), command = get(line->in + at + 4);
        if (length < 16 || length > ROOM)
            return 0;
        if (line->have - at < length)
            break;
        uint32_t sequence = get(line->in + at + 12);
        if (command == 4 && latency > 0) {
            line->waiting[line->last % QUEUE].due = due;
            line->waiting[line->last++ % QUEUE].sequence = sequence;
        } else if (command == 4)
            take(line, sequence);
        else if (!(command & 0x80000000u))
            answer(line, command, sequence, command == 1 || command == 2 || command == 9 ? "" : 0);
        at += length;
    }
    memmove(line->in, line->in + at, line->have - at);
    line->have -= at;
    return 1;
}

static double due(struct line *line) {
    double at = now();
    while (line->first != line->last && line->waiting[line->first % QUEUE].due <= at)
        take(line, line->waiting[line->first++ % QUEUE].sequence);
    return line->first == line->last ? 1e9 : line->waiting[line->first % QUEUE].due - at;
}

static void greet(int listener) {
    int one = 1, fd = accept(listener, NULL, NULL);
    if (fd < 0 || count == MOST) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    lines[count] = calloc(1, sizeof **lines);
    lines[count++]->fd = fd;
}

int main(int argc, char **argv) {
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof where;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    latency = argc > 1 ? atof(argv[1]) / 1000 : 0;
    bind(listener, (struct sockaddr *)&where, size);
    listen(listener, 64);
    getsockname(listener, (struct sockaddr *)&where, &size);
    printf("%d\n", ntohs(where.sin_port));
    fflush(stdout);
    for (;;) {
        struct pollfd watched[MOST + 2] = {{.fd = 0, .events = POLLIN},
                                           {.fd = listener, .events = POLLIN}};
        double wait = 1e9;
        for (int i = 0; i < count; i++) {
            double left = due(lines[i]);
            flush(lines[i]);
            wait = left < wait ? left : wait;
            watched[i + 2] = (struct pollfd){.fd = lines[i]->fd, .events = POLLIN};
        }
        struct timespec patience = {(time_t)wait, (long)((wait - (time_t)wait) * 1e9)};
        ppoll(watched, count + 2, wait > 1e6 ? NULL : &patience, NULL);
        int known = count;
        for (int i = 0; i < known; i++)
            if (watched[i + 2].revents && !receive(lines[i])) {
                close(lines[i]->fd);
                lines[i]->fd = -1;
            }
        if (watched[1].revents)
            greet(listener);
        if (watched[0].revents && read(0, &wait, 1) <= 0)
            break;
    }
    printf("%lu\n", taken);
    return 0;
}
