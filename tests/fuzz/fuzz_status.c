/* What answers at the control socket, be it what it may: told from a reply, taken apart, and shown in each
 * form. Nothing that is shown can do harm to a terminal, and a refused reply shows nothing.
 *
 * Input: the bytes that came in. */
#include <assert.h>
#include <stdint.h>

#include "ctl/connection.c"
#include "ctl/delays.c"
#include "ctl/exposition.c"
#include "ctl/fit.c"
#include "ctl/json.c"
#include "ctl/metrics.c"
#include "ctl/status.c"
#include "ctl/text.c"
#include "ctl/view.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ROWS = 24
};

/* Asserts that TEXT is characters and newlines, and frees it. */
static void check(char *text)
{
    for (const char *at = text; *at != '\0';) {
        size_t bytes = *at == '\n' ? 1 : quote_character(at);
        assert(bytes > 0);
        at += bytes;
    }
    free(text);
}

/* RFC 8259, as far as we write it: without space, and numbers without fraction and exponent. Each returns
 * what comes behind, or asserts. */
static const char *skip_value(const char *at);

static const char *skip(const char *at, const char *word)
{
    assert(strncmp(at, word, strlen(word)) == 0);
    return at + strlen(word);
}

static const char *skip_string(const char *at)
{
    for (at = skip(at, "\""); *at != '"';) {
        assert((unsigned char) *at >= ' ');
        if (*at++ != '\\')
            continue;
        assert(*at != '\0' && strchr("\"\\/bfnrtu", *at) != NULL);
        assert(*at != 'u' || strspn(at + 1, "0123456789abcdefABCDEF") >= 4);
        at++;
    }
    return at + 1;
}

static const char *skip_number(const char *at)
{
    at += *at == '-';
    size_t digits = strspn(at, "0123456789");

    assert(digits > 0 && (digits == 1 || *at != '0'));
    return at + digits;
}

/* What is between OPEN and CLOSE: values with commas between them, in an object each behind its name. */
static const char *skip_list(const char *at, const char *open, const char *close)
{
    at = skip(at, open);
    if (*at == *close)
        return at + 1;
    for (;;) {
        if (*open == '{')
            at = skip(skip_string(at), ":");
        at = skip_value(at);
        if (*at == *close)
            return at + 1;
        at = skip(at, ",");
    }
}

static const char *skip_value(const char *at)
{
    switch (*at) {
    case '{':
        return skip_list(at, "{", "}");
    case '[':
        return skip_list(at, "[", "]");
    case '"':
        return skip_string(at);
    case 't':
        return skip(at, "true");
    case 'f':
        return skip(at, "false");
    default:
        return skip_number(at);
    }
}

static void check_json(const struct status *status)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    assert(out != NULL);
    json_status(out, status);
    fclose(out);
    assert(strcmp(skip_list(text, "{", "}"), "\n") == 0);
    free(text);
}

static void show(const struct status *status)
{
    const struct look before = {*status, 1}, now = {*status, 1001};
    const struct look nothing = {0};
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    assert(out != NULL);
    json_status(out, status);
    text_status(out, status);
    fit_status(out, status, ROWS, COLUMNS);
    view_print(out, &before, &now, NULL, ROWS);
    view_print(out, &nothing, &now, status_text(status_line(status, "reload"), "reason"), ROWS);
    fclose(out);
    assert(strlen(text) == length);
    check(text);
}

/* Of metrics and labels. */
static const char name_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

/* What is behind a label at AT, and the comma or brace behind that. */
static const char *skip_label(const char *at)
{
    size_t name = strspn(at, name_letters);

    assert(name > 0);
    for (at = skip(at + name, "=\""); *at != '"'; at++) {
        if (*at == '\\' && (at[1] == '\\' || at[1] == '"'))
            at++; /* what it escapes is of the value */
        else
            assert(*at != '\0' && *at != '\n' && *at != '\\');
    }
    assert(at[1] == ',' || at[1] == '}');
    return at + 2;
}

/* Each line that is no comment is a name, labels perhaps, and a number. */
static void check_metrics(const struct status *status, enum exposition_form form)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    assert(out != NULL);
    metrics_print(out, status, form);
    fclose(out);
    for (const char *at = text; *at != '\0'; at = skip(at, "\n")) {
        size_t bytes = *at == '#' ? strcspn(at, "\n") : strspn(at, name_letters);
        bool comment = *at == '#';
        at += bytes;
        if (comment)
            continue;
        assert(bytes > 0);
        if (*at == '{')
            for (at++; at[-1] != '}';)
                at = skip_label(at);
        at = skip(at, " ");
        size_t digits = strspn(at, "0123456789.");
        assert(digits > 0);
        at += digits;
    }
    check(text);
}

/* Hands the bytes to a connection as if they had been received. Returns what it makes of them. */
static enum connection_news receive(struct connection *connection, const uint8_t *data, size_t size)
{
    *connection = (struct connection){.fd = -1, .reply = malloc(size + 1), .used = size};
    assert(connection->reply != NULL);
    if (size > 0)
        memcpy(connection->reply, data, size);
    connection->reply[size] = '\0';
    return look(connection);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct connection connection;
    struct status status;

    if (size >= CONNECTION_REPLY_MAX)
        return 0;
    enum connection_news news = receive(&connection, data, size);
    if (status_parse(&status, connection.reply) == 0) {
        assert(strcmp(status_line(&status, "service")->word, "service") == 0);
        show(&status);
        check_json(&status);
        check_metrics(&status, EXPOSITION_OPENMETRICS);
        check_metrics(&status, EXPOSITION_PLAIN);
        status_free(&status);
    } else {
        assert(status.text == NULL && status.lines == NULL && status.count == 0);
    }
    if (news == CONNECTION_OK)
        assert(strcmp(connection_verdict(&connection), "ok") == 0);
    if (news == CONNECTION_FAILED) {
        const char *behind = skip(connection_verdict(&connection), "failed");
        assert(*behind == '\0' || *behind == ' ');
    }
    connection_close(&connection);
    return 0;
}
