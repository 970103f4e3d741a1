/* Parcels: what goes together and what does not, how the kernel is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "seed.h"
#include "worker/parcel.c"

#include <arpa/inet.h>
#include <unistd.h>

/* Where an answer goes, from where, and its length. */
struct wish {
    int to, from;
    size_t length;
};

static char text[65536];
static struct sockaddr_in addresses[PARCEL_ANSWERS_MAX];
static struct iovec vectors[PARCEL_ANSWERS_MAX];
static struct mmsghdr answers[PARCEL_ANSWERS_MAX], parcels[PARCEL_ANSWERS_MAX];
static union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(struct in_pktinfo)) + PARCEL_CONTROL_SIZE];
} controls[PARCEL_ANSWERS_MAX];

static void set_source(struct msghdr *message, int from)
{
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK + (in_addr_t) from - 1)};

    message->msg_controllen = from > 0 ? CMSG_SPACE(sizeof(info)) : 0;
    if (from == 0)
        return;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    *header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
    memcpy(CMSG_DATA(header), &info, sizeof(info));
}

/* Makes an answer of each of the COUNT WISHES, and packs them. */
static unsigned pack(const struct wish *wishes, unsigned count)
{
    memset(controls, 0, sizeof(controls));
    memset(parcels, 0xff, sizeof(parcels));
    for (unsigned i = 0; i < count; i++) {
        addresses[i] = (struct sockaddr_in){.sin_family = AF_INET,
                                            .sin_port = htons((uint16_t) (5000 + wishes[i].to)),
                                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        vectors[i] = (struct iovec){text, wishes[i].length};
        answers[i].msg_hdr = (struct msghdr){.msg_name = &addresses[i],
                                             .msg_namelen = sizeof(addresses[i]),
                                             .msg_iov = &vectors[i],
                                             .msg_iovlen = 1,
                                             .msg_control = &controls[i],
                                             .msg_controllen = sizeof(controls[i])};
        set_source(&answers[i].msg_hdr, wishes[i].from);
    }
    return parcel_pack(answers, count, parcels);
}

/* The size that PARCEL is to be cut to; 0: not at all. */
static unsigned cut_size(struct msghdr *parcel)
{
    uint16_t size = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(parcel); header != NULL; header = CMSG_NXTHDR(parcel, header))
        if (header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_SEGMENT) {
            assert_int_equal(header->cmsg_len, CMSG_LEN(sizeof(size)));
            assert_int_equal(size, 0);
            memcpy(&size, CMSG_DATA(header), sizeof(size));
        }
    return size;
}

static void test_what_goes_together(void **state)
{
    static const struct {
        unsigned count;
        struct wish wishes[6];
        unsigned parcels[6]; /* answers in each */
    } rows[] = {
        {0, {{0}}, {0}},
        {1, {{1, 0, 13}}, {1}},
        {3, {{1, 0, 13}, {1, 0, 13}, {1, 0, 13}}, {3}},
        {3, {{1, 0, 13}, {2, 0, 13}, {1, 0, 13}}, {1, 1, 1}}, /* not at the cost of the order */
        {4, {{1, 0, 13}, {1, 0, 13}, {2, 0, 13}, {2, 0, 13}}, {2, 2}},
        {5, {{1, 0, 13}, {1, 0, 14}, {1, 0, 14}, {1, 0, 13}, {1, 0, 12}}, {1, 2, 1, 1}},
        {4, {{1, 1, 13}, {1, 1, 13}, {1, 2, 13}, {1, 0, 13}}, {2, 1, 1}}, /* asked at other addresses */
        {3, {{1, 0, 0}, {1, 0, 0}, {1, 0, 0}}, {1, 1, 1}},
        {4, {{1, 0, 21835}, {1, 0, 21835}, {1, 0, 21835}, {1, 0, 21835}}, {3, 1}}, /* 65505 bytes */
        {3, {{1, 0, 32754}, {1, 0, 32754}, {1, 0, 32754}}, {1, 1, 1}}, /* 65508 bytes would be too many */
        {2, {{1, 0, 65507}, {1, 0, 65507}}, {1, 1}},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned made = pack(rows[i].wishes, rows[i].count), done = 0;
        for (unsigned j = 0; j < made; j++) {
            assert_int_equal(parcels[j].msg_hdr.msg_iovlen, rows[i].parcels[j]);
            done += rows[i].parcels[j];
        }
        assert_int_equal(done, rows[i].count);
    }
}

/* Whatever the answers: all are there once, in order, to where they belong, and none has been changed. */
static void test_nothing_is_lost(void **state)
{
    struct wish wishes[PARCEL_ANSWERS_MAX];

    (void) state;
    struct seed seed = seed_start();
    for (unsigned turn = 0; turn < 2000; turn++) {
        unsigned count = (unsigned) seed_below(&seed, PARCEL_ANSWERS_MAX + 1), next = 0;
        for (unsigned i = 0; i < count; i++)
            wishes[i] = (struct wish){(int) seed_below(&seed, 2), (int) seed_below(&seed, 2),
                                      seed_below(&seed, 3) * 7};
        unsigned made = pack(wishes, count);
        for (unsigned i = 0; i < made; i++) {
            struct msghdr *parcel = &parcels[i].msg_hdr;
            const struct msghdr *first = &answers[next].msg_hdr;
            assert_ptr_equal(parcel->msg_iov, &vectors[next]);
            assert_ptr_equal(parcel->msg_name, first->msg_name);
            assert_int_equal(cut_size(parcel), parcel->msg_iovlen > 1 ? first->msg_iov->iov_len : 0);
            for (size_t j = 0; j < parcel->msg_iovlen; j++, next++) {
                assert_int_equal(wishes[next].to, wishes[next - j].to);
                assert_int_equal(wishes[next].from, wishes[next - j].from);
                assert_int_equal(cut_size(&answers[next].msg_hdr), 0);
            }
        }
        assert_int_equal(next, count);
    }
}

static void test_what_sockets_can(void **state)
{
    int udp = socket(AF_INET, SOCK_DGRAM, 0), local = socket(AF_UNIX, SOCK_DGRAM, 0);

    (void) state;
    assert_false(parcel_possible(local));
    assert_false(parcel_possible(-1));
    if (!parcel_possible(udp))
        print_message("this kernel does not cut\n");
    close(udp);
    close(local);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_goes_together),
                                       cmocka_unit_test(test_nothing_is_lost),
                                       cmocka_unit_test(test_what_sockets_can)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
