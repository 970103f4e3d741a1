/* What may go together, and how the kernel is told. Must not know what the answers say. */
#include "worker/parcel.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/uio.h>

enum {
    PARCEL_BYTES_MAX = 65507 /* of the largest datagram that there is, less the headers of IPv4 */
};

bool parcel_possible(int fd)
{
    int size;
    socklen_t length = sizeof(size);

    return getsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, &length) == 0;
}

static bool go_together(const struct msghdr *one, const struct msghdr *other)
{
    return one->msg_iov->iov_len == other->msg_iov->iov_len && one->msg_namelen == other->msg_namelen &&
           one->msg_controllen == other->msg_controllen &&
           memcmp(one->msg_name, other->msg_name, one->msg_namelen) == 0 &&
           memcmp(one->msg_control, other->msg_control, one->msg_controllen) == 0;
}

/* How many of the COUNT ANSWERS, from the first on, make one parcel. Empty ones would become one. */
static unsigned run(const struct mmsghdr *answers, unsigned count)
{
    size_t size = answers[0].msg_hdr.msg_iov->iov_len, most = size > 0 ? PARCEL_BYTES_MAX / size : 1;
    unsigned length = 1;

    while (length < count && length < most && go_together(&answers[0].msg_hdr, &answers[length].msg_hdr))
        length++;
    return length;
}

/* Has PARCEL cut into pieces as long as its first vector. */
static void cut(struct msghdr *parcel)
{
    uint16_t size = (uint16_t) parcel->msg_iov->iov_len;
    struct cmsghdr *header = (struct cmsghdr *) ((char *) parcel->msg_control + parcel->msg_controllen);

    *header =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(size)), .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT};
    memcpy(CMSG_DATA(header), &size, sizeof(size));
    parcel->msg_controllen += PARCEL_CONTROL_SIZE;
}

unsigned parcel_pack(const struct mmsghdr *answers, unsigned count, struct mmsghdr *parcels)
{
    unsigned made = 0;

    for (unsigned done = 0; done < count; made++) {
        struct msghdr *parcel = &parcels[made].msg_hdr;
        *parcel = answers[done].msg_hdr;
        parcel->msg_iovlen = run(&answers[done], count - done);
        if (parcel->msg_iovlen > 1)
            cut(parcel);
        done += (unsigned) parcel->msg_iovlen;
    }
    return made;
}
