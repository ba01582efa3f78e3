// The generator of the benchmark: sends DNS queries over UDP from one thread, as fast as they are answered or at a fixed rate,
// and tells what came back. dnsperf does not saturate the servers that are measured here; this does, on one processor.
//
//   dnsblast -p PORT -f FILE [-s ADDRESS] [-l SECONDS] [-c SOCKETS] [-w WINDOW] [-b BATCH] [-g SEGMENTS] [-r RATE] [-o OFFSET]
//
// FILE holds messages, each after its length in two octets, as `dnsperf -B` reads them; they are sent in turn, from message
// OFFSET on, with identifiers of our own. The result is one line of JSON.
//
//   closed loop   WINDOW queries are under way, spread over the sockets; each socket has a port of its own
//   open loop     -r: RATE queries a second, whatever comes back; latency counts from when a query was to be sent
//   -g            up to SEGMENTS queries of one length leave a socket in one send (UDP_SEGMENT), which halves what sending costs
//                 here; they reach the server as single datagrams all the same
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum {
    MAX_BATCH = 64,
    MAX_SOCKETS = 1024,
    MAX_MESSAGE = 2048,
    HEADER = 12,
    // Queries of a socket that can be under way. At 50,000/s over 8 sockets this is half a second.
    SLOTS = 4096,
    // Sockets without an answer that are asked before something is sent again: replies come in the order of queries, mostly.
    EMPTY_SOCKETS = 8,
    SOCKET_BUFFER = 4 << 20,
    // Logarithmic, with 64 steps for each power of two of nanoseconds.
    HISTOGRAM = 4096,
};
static const int64_t SECOND = 1000000000, LOST_AFTER = SECOND * 3 / 10, DRAIN = SECOND / 5;

struct message {
    uint8_t *octets;
    uint16_t length;
};

// A query under way; none if sent_at is 0.
struct slot {
    int64_t sent_at;
    uint16_t id;
};

// A port of ours. A query's slot is that of its identifier's low bits.
struct port {
    int fd;
    uint16_t next_id;
    int under_way;
    int64_t last_progress;
    struct slot slots[SLOTS];
};

static struct {
    const char *address, *file;
    int port, sockets, window, batch, segments;
    double seconds, rate;
    size_t offset;
} options = {.address = "127.0.0.1", .sockets = 8, .window = 128, .batch = 32, .segments = 1, .seconds = 5};

static struct message *messages;
static size_t message_count, next_message;
static struct port *ports;
static int window_each;
// Of a port's slots few are used in a closed loop, so that 256 ports fit into the processor's caches.
static uint16_t slot_mask = SLOTS - 1;
static uint64_t sent, received, lost, unexpected, without_answer, rcodes[16], histogram[HISTOGRAM];

static void die(const char *what) {
    perror(what);
    exit(2);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static void count_latency(int64_t ns) {
    if (ns < 1) ns = 1;
    int power = 63 - __builtin_clzll(ns);
    int step = power < 6 ? (int)ns : ((power - 5) << 6) + (int)((ns >> (power - 6)) & 63);
    histogram[step < HISTOGRAM ? step : HISTOGRAM - 1]++;
}

// Microseconds that this share of all answers came within.
static double latency(double share) {
    uint64_t wanted = (uint64_t)(share * received), sum = 0;
    for (int step = 0; step < HISTOGRAM; step++) {
        if ((sum += histogram[step]) <= wanted) continue;
        if (step < 64) return step / 1e3;
        int power = (step >> 6) + 5;
        return ((1LL << power) + ((int64_t)(step & 63) << (power - 6))) / 1e3;
    }
    return 0;
}

static void read_options(int argc, char **argv) {
    int c;
    while ((c = getopt(argc, argv, "s:p:f:l:c:w:b:g:r:o:")) > 0) switch (c) {
        case 's': options.address = optarg; break;
        case 'p': options.port = atoi(optarg); break;
        case 'f': options.file = optarg; break;
        case 'l': options.seconds = atof(optarg); break;
        case 'c': options.sockets = atoi(optarg); break;
        case 'w': options.window = atoi(optarg); break;
        case 'b': options.batch = atoi(optarg); break;
        case 'g': options.segments = atoi(optarg); break;
        case 'r': options.rate = atof(optarg); break;
        case 'o': options.offset = strtoul(optarg, 0, 10); break;
        default: exit(2);
        }
    bool bounded = options.sockets >= 1 && options.sockets <= MAX_SOCKETS && options.batch >= 1 &&
                   options.batch <= MAX_BATCH && options.segments >= 1 && options.segments <= MAX_BATCH;
    if (!options.file || !options.port || !bounded) {
        fprintf(stderr, "-f and -p are needed; -c goes to %d, -b and -g to %d\n", MAX_SOCKETS, MAX_BATCH);
        exit(2);
    }
    window_each = options.window / options.sockets;
    if (window_each < 1) window_each = 1;
    if (window_each > SLOTS / 2) window_each = SLOTS / 2;
    while (options.rate == 0 && slot_mask / 4 >= window_each) slot_mask /= 2;
}

// The file is mapped privately: identifiers are written into it.
static void read_messages(void) {
    int fd = open(options.file, O_RDONLY);
    struct stat about;
    if (fd < 0 || fstat(fd, &about)) die(options.file);
    uint8_t *octets = mmap(0, about.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (octets == MAP_FAILED) die(options.file);
    messages = calloc(about.st_size / (2 + HEADER) + 1, sizeof *messages);
    for (off_t at = 0; at + 2 + HEADER <= about.st_size;) {
        uint16_t length = octets[at] << 8 | octets[at + 1];
        if (length < HEADER || at + 2 + length > about.st_size) break;
        messages[message_count++] = (struct message){octets + at + 2, length};
        at += 2 + length;
    }
    if (!message_count) {
        fprintf(stderr, "%s: no messages\n", options.file);
        exit(2);
    }
    next_message = options.offset % message_count;
}

static void open_ports(void) {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(options.port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(options.port)};
    bool is_six = strchr(options.address, ':');
    void *in = is_six ? (void *)&six.sin6_addr : (void *)&four.sin_addr;
    if (inet_pton(is_six ? AF_INET6 : AF_INET, options.address, in) != 1) die(options.address);
    ports = calloc(options.sockets, sizeof *ports);
    for (int i = 0; i < options.sockets; i++) {
        int size = SOCKET_BUFFER;
        ports[i].fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        // Without the right to force it, what the system allows has to do.
        setsockopt(ports[i].fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
        setsockopt(ports[i].fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
        struct sockaddr *to = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
        if (connect(ports[i].fd, to, is_six ? sizeof six : sizeof four)) die("connect");
        ports[i].next_id = i * 7919;
    }
}

static void count_reply(struct port *port, const uint8_t *reply, unsigned length, int64_t at) {
    uint16_t id = reply[0] << 8 | reply[1];
    struct slot *slot = &port->slots[id & slot_mask];
    if (length < HEADER || !(reply[2] & 0x80) || !slot->sent_at || slot->id != id) {
        unexpected++;
        return;
    }
    count_latency(at - slot->sent_at);
    slot->sent_at = 0;
    port->under_way--;
    received++;
    rcodes[reply[3] & 15]++;
    without_answer += !(reply[6] | reply[7]);
}

// Takes what has come to a port; false if nothing has.
static bool receive(struct port *port) {
    static uint8_t buffers[MAX_BATCH][MAX_MESSAGE];
    static struct mmsghdr headers[MAX_BATCH];
    static struct iovec pieces[MAX_BATCH];
    for (int i = 0; !pieces[MAX_BATCH - 1].iov_len && i < MAX_BATCH; i++) {
        pieces[i] = (struct iovec){buffers[i], MAX_MESSAGE};
        headers[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    // No more than can come: to find nothing costs as much as half a reply.
    int most = port->under_way < MAX_BATCH ? port->under_way : MAX_BATCH;
    int count = recvmmsg(port->fd, headers, most, MSG_DONTWAIT, 0);
    if (count <= 0) return false;
    int64_t at = now();
    port->last_progress = at;
    for (int i = 0; i < count; i++) count_reply(port, buffers[i], headers[i].msg_len, at);
    return true;
}

// Takes what has come to any port, from the one on where it went on last; false if nothing has.
static bool receive_all(void) {
    static int first;
    bool progress = false;
    int start = first, empty = 0;
    for (int i = 0; i < options.sockets && empty < EMPTY_SOCKETS; i++) {
        int at = (start + i) % options.sockets;
        if (ports[at].under_way <= 0) continue;
        if (receive(&ports[at])) {
            progress = true;
            first = (at + 1) % options.sockets;
        } else {
            empty++;
        }
    }
    return progress;
}

// Gives up what a port has waited for in vain, so that its window opens again.
static void forget_lost(struct port *port, int64_t at) {
    if (port->under_way <= 0 || at - port->last_progress <= LOST_AFTER) return;
    lost += port->under_way;
    port->under_way = 0;
    port->last_progress = at;
    memset(port->slots, 0, sizeof port->slots);
}

// The next message, with an identifier that its port does not use.
static struct iovec stamp(struct port *port, int64_t at) {
    struct message *message = &messages[next_message];
    if (++next_message == message_count) next_message = 0;
    uint16_t id = port->next_id++;
    struct slot *slot = &port->slots[id & slot_mask];
    if (slot->sent_at) {
        lost++;
        port->under_way--;
    }
    *slot = (struct slot){at, id};
    message->octets[0] = id >> 8;
    message->octets[1] = id;
    if (!port->under_way++) port->last_progress = now();
    sent++;
    return (struct iovec){message->octets, message->length};
}

static bool is_passing(void) { return errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED; }

static void send_each(struct port *port, struct iovec *pieces, int count) {
    struct mmsghdr headers[MAX_BATCH] = {0};
    for (int i = 0; i < count; i++) headers[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    for (int done = 0; done < count;) {
        int some = sendmmsg(port->fd, headers + done, count - done, 0);
        if (some < 0 && !is_passing()) die("sendmmsg");
        if (some > 0) done += some;
    }
}

// All pieces have one length.
static void send_segments(struct port *port, struct iovec *pieces, int count) {
    char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct msghdr header = {.msg_iov = pieces, .msg_iovlen = count, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *segment = CMSG_FIRSTHDR(&header);
    segment->cmsg_level = SOL_UDP;
    segment->cmsg_type = UDP_SEGMENT;
    segment->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    *(uint16_t *)CMSG_DATA(segment) = pieces[0].iov_len;
    while (sendmsg(port->fd, &header, 0) < 0)
        if (!is_passing()) die("sendmsg with UDP_SEGMENT");
}

// How many of the next messages have one length; `most` at most.
static int equal_messages(int most) {
    int count = 1;
    while (count < most && next_message + count < message_count &&
           messages[next_message + count].length == messages[next_message].length)
        count++;
    return count;
}

// Fills the windows. With something coming in, small gaps wait until they are worth a send.
static void send_closed(bool progress) {
    struct iovec pieces[MAX_BATCH];
    int64_t at = now();
    for (int i = 0; i < options.sockets; i++) {
        struct port *port = &ports[i];
        forget_lost(port, at);
        int count = window_each - port->under_way;
        if (count <= 0 || (count < options.batch && count < window_each / 2 && progress)) continue;
        if (count > options.batch) count = options.batch;
        if (options.segments > 1) count = equal_messages(count < options.segments ? count : options.segments);
        for (int j = 0; j < count; j++) pieces[j] = stamp(port, at);
        if (options.segments > 1 && count > 1) send_segments(port, pieces, count);
        else send_each(port, pieces, count);
    }
}

// Sends what is due, from one port after the other.
static void send_open(int64_t begin) {
    static int turn;
    struct iovec pieces[MAX_BATCH];
    int64_t due = (int64_t)((now() - begin) * options.rate / SECOND) - (int64_t)sent;
    int count = due > options.batch ? options.batch : (int)due;
    if (count <= 0) return;
    struct port *port = &ports[turn++ % options.sockets];
    for (int i = 0; i < count; i++) pieces[i] = stamp(port, begin + (int64_t)(sent * SECOND / options.rate));
    send_each(port, pieces, count);
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    read_messages();
    open_ports();
    int64_t begin = now(), end = begin + (int64_t)(options.seconds * SECOND);
    for (int64_t at = begin; at < end; at = now()) {
        bool progress = receive_all();
        if (options.rate > 0) send_open(begin);
        else send_closed(progress);
    }
    uint64_t in_time = received;
    while (now() < end + DRAIN && received + lost < sent) receive_all();
    printf("{\"qps\": %.0f, \"sent\": %lu, \"received\": %lu, \"lost\": %lu, \"unexpected\": %lu, \"seconds\": %.3f, "
           "\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
           "\"noerror\": %lu, \"nxdomain\": %lu, \"without_answer\": %lu}\n",
           in_time / options.seconds, sent, received, sent - received, unexpected, options.seconds,
           latency(.5), latency(.99), latency(.999), rcodes[0], rcodes[3], without_answer);
    return 0;
}
