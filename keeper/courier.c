// SPDX-License-Identifier: Apache-2.0
#include "keeper/courier.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static enum ct_status send_packet(int fd, struct ct_buf *head, const void *body, size_t length)
{
    struct iovec parts[2] = {{.iov_base = head->data, .iov_len = head->length},
                             {.iov_base = (void *)(uintptr_t)body, .iov_len = length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = length == 0 ? 1 : 2};
    ssize_t sent;
    if (head->failed) {
        ct_buf_free(head);
        return CT_NO_MEMORY;
    }
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    bool done = sent == (ssize_t)(head->length + length);
    ct_buf_free(head);
    return done ? CT_OK : CT_IO;
}

enum ct_status courier_send_request(int fd, uint32_t id, const char *url, const void *body,
                                    size_t length)
{
    struct ct_buf head;
    size_t url_length = strlen(url);
    if (url_length > COURIER_URL_MAX || 6 + url_length + length > COURIER_REQUEST_MAX)
        return CT_LIMIT;
    ct_buf_init(&head, COURIER_REQUEST_MAX);
    ct_buf_append_u32(&head, id);
    ct_buf_append_u16(&head, (uint16_t)url_length);
    ct_buf_append(&head, url, url_length);
    return send_packet(fd, &head, body, length);
}

enum ct_status courier_send_answer(int fd, uint32_t id, unsigned status, const void *body,
                                   size_t length)
{
    struct ct_buf head;
    if (length > COURIER_BODY_MAX)
        return CT_LIMIT;
    ct_buf_init(&head, COURIER_ANSWER_MAX);
    ct_buf_append_u32(&head, id);
    ct_buf_append_u16(&head, (uint16_t)status);
    return send_packet(fd, &head, body, length);
}

static enum ct_status receive(int fd, uint8_t *packet, size_t room, struct ct_cursor *ret)
{
    struct iovec part = {.iov_base = packet, .iov_len = room};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t count;
    do
        count = recvmsg(fd, &message, MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? CT_NOT_FOUND : CT_IO;
    if (count == 0)
        return CT_IO; /* no packet of ours is empty */
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return CT_BAD_INPUT;
    *ret = (struct ct_cursor){.at = packet, .left = (size_t)count};
    return CT_OK;
}

enum ct_status courier_receive_request(int fd, uint8_t packet[COURIER_REQUEST_MAX],
                                       struct courier_request *ret)
{
    struct ct_cursor cursor;
    uint16_t length;
    const uint8_t *url;
    enum ct_status status = receive(fd, packet, COURIER_REQUEST_MAX, &cursor);
    if (status != CT_OK)
        return status;
    if (!ct_cursor_u32(&cursor, &ret->id) || !ct_cursor_u16(&cursor, &length) ||
        length > COURIER_URL_MAX || !ct_cursor_bytes(&cursor, length, &url) ||
        memchr(url, '\0', length) != NULL)
        return CT_BAD_INPUT;
    memcpy(ret->url, url, length);
    ret->url[length] = '\0';
    ret->body = cursor.at;
    ret->body_length = cursor.left;
    return CT_OK;
}

enum ct_status courier_receive_answer(int fd, uint8_t packet[COURIER_ANSWER_MAX],
                                      struct courier_answer *ret)
{
    struct ct_cursor cursor;
    uint16_t number;
    enum ct_status status = receive(fd, packet, COURIER_ANSWER_MAX, &cursor);
    if (status != CT_OK)
        return status;
    if (!ct_cursor_u32(&cursor, &ret->id) || !ct_cursor_u16(&cursor, &number))
        return CT_BAD_INPUT;
    ret->status = number;
    ret->body = cursor.at;
    ret->body_length = cursor.left;
    return CT_OK;
}
