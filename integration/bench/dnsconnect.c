// The other generator of the benchmark: a TCP connection for each query. dnsperf waits between connections, and does not get the
// servers to work; this does.
//
//   dnsconnect -p PORT -f FILE [-l SECONDS] [-w WINDOW] [-o OFFSET]
//
// Options and result are dnsblast's. WINDOW connections to 127.0.0.1 are open at a time; each ends with the first reply.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_WINDOW = 256,
    HEADER = 12,
    REPLY_TIMEOUT_MS = 300,
    // Connections come from 127.0.0.2 and on, as the ports of one address are not free again soon enough.
    SOURCES = 64,
};

static const char *file;
static int port, window = 16;
static double seconds = 5;
static const uint8_t *octets;
static off_t size, at;
static uint64_t sent, received;

static void die(const char *what) {
    perror(what);
    exit(2);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

// The length of the message at `at`; messages of the file stand as TCP has them, after their length.
static int length_here(void) { return octets[at] << 8 | octets[at + 1]; }

static void step(void) {
    at += 2 + length_here();
    if (at + 2 > size || at + 2 + length_here() > size) at = 0;
}

static int open_with_query(void) {
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons(port)};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + sent % SOURCES);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0) die("socket");
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&from, sizeof from)) die("bind");
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    if (send(fd, octets + at, 2 + length_here(), MSG_NOSIGNAL) < 0) die("send");
    step();
    sent++;
    return fd;
}

// Whether what came is a reply; it fits into one read, as it was sent with one write.
static int is_reply(int fd) {
    uint8_t reply[2048];
    ssize_t length = recv(fd, reply, sizeof reply, MSG_DONTWAIT);
    return length >= 2 + HEADER && reply[4] & 0x80;
}

int main(int argc, char **argv) {
    off_t offset = 0;
    for (int c; (c = getopt(argc, argv, "p:f:l:w:o:")) > 0;) switch (c) {
        case 'p': port = atoi(optarg); break;
        case 'f': file = optarg; break;
        case 'l': seconds = atof(optarg); break;
        case 'w': window = atoi(optarg); break;
        case 'o': offset = atol(optarg); break;
        default: return 2;
        }
    if (!file || !port || window < 1 || window > MAX_WINDOW) {
        fprintf(stderr, "-f and -p are needed; -w goes to %d\n", MAX_WINDOW);
        return 2;
    }
    int fd = open(file, O_RDONLY);
    struct stat about;
    if (fd < 0 || fstat(fd, &about)) die(file);
    size = about.st_size;
    octets = mmap(0, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (octets == MAP_FAILED || size < 2 + HEADER) die(file);
    while (offset-- > 0) step();

    struct pollfd open_ones[MAX_WINDOW];
    double begin = now(), end = begin + seconds;
    for (int i = 0; i < window; i++) open_ones[i] = (struct pollfd){open_with_query(), POLLIN, 0};
    while (now() < end) {
        int ready = poll(open_ones, window, REPLY_TIMEOUT_MS);
        for (int i = 0; i < window; i++) {
            // Without any reply for so long, all are given up.
            if (ready > 0 && !open_ones[i].revents) continue;
            received += is_reply(open_ones[i].fd);
            close(open_ones[i].fd);
            open_ones[i].fd = open_with_query();
        }
    }
    double took = now() - begin;
    // Those that are still open are neither answered nor lost.
    printf("{\"qps\": %.0f, \"sent\": %lu, \"received\": %lu, \"lost\": %lu, \"seconds\": %.3f}\n",
           received / took, sent - window, received, sent - window - received, took);
    return 0;
}
