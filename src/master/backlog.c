/* One question to the kernel, and its answer taken apart. Must not know which sockets there are. */
#include "master/backlog.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ANSWER_MAX = 1024 /* bytes; it has about 60 */
};

struct question {
    struct nlmsghdr header;
    struct unix_diag_req request;
};

/* Asks over DIAG for the socket whose inode is NUMBER. */
static bool ask(int diag, ino_t number)
{
    const struct question question = {.header = {.nlmsg_len = sizeof(question),
                                                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                                                 .nlmsg_flags = NLM_F_REQUEST},
                                      .request = {.sdiag_family = AF_UNIX,
                                                  .udiag_ino = (uint32_t) number,
                                                  .udiag_show = UDIAG_SHOW_RQLEN,
                                                  .udiag_cookie = {UINT32_MAX, UINT32_MAX}}};

    return send(diag, &question, sizeof(question), MSG_DONTWAIT) == sizeof(question);
}

/* Finds the queue among the attributes in the LENGTH bytes at AT. */
static bool find_queue(const char *at, size_t length, struct unix_diag_rqlen *queue)
{
    struct nlattr attribute;

    while (length >= sizeof(attribute)) {
        memcpy(&attribute, at, sizeof(attribute));
        size_t step = NLA_ALIGN(attribute.nla_len);
        if (attribute.nla_len < sizeof(attribute) || attribute.nla_len > length)
            return false;
        if (attribute.nla_type == UNIX_DIAG_RQLEN &&
            attribute.nla_len >= sizeof(attribute) + sizeof(*queue)) {
            memcpy(queue, at + sizeof(attribute), sizeof(*queue));
            return true;
        }
        if (step > length)
            return false; /* the last one may end without its padding */
        at += step;
        length -= step;
    }
    return false;
}

/* Takes the answer of LENGTH bytes apart; one that says why not is none. */
static bool parse(const char *answer, size_t length, struct unix_diag_rqlen *queue)
{
    const size_t fixed = NLMSG_LENGTH(sizeof(struct unix_diag_msg));
    struct nlmsghdr header;

    if (length < fixed)
        return false;
    memcpy(&header, answer, sizeof(header));
    return header.nlmsg_type == SOCK_DIAG_BY_FAMILY && header.nlmsg_len >= fixed &&
           header.nlmsg_len <= length && find_queue(answer + fixed, header.nlmsg_len - fixed, queue);
}

/* The kernel has answered when it has taken the question. */
static bool talk(int diag, ino_t number, struct unix_diag_rqlen *queue)
{
    char answer[ANSWER_MAX];

    if (!ask(diag, number))
        return false;
    ssize_t length = recv(diag, answer, sizeof(answer), MSG_DONTWAIT);
    return length > 0 && parse(answer, (size_t) length, queue);
}

bool backlog_ask(int fd, struct backlog *backlog)
{
    struct unix_diag_rqlen queue;
    struct stat status;

    if (fstat(fd, &status) < 0)
        return false;
    int diag = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (diag < 0)
        return false;
    bool told = talk(diag, status.st_ino, &queue);
    close(diag);
    if (told)
        *backlog = (struct backlog){.waiting = queue.udiag_rqueue, .limit = queue.udiag_wqueue};
    return told;
}
