/* The opcodes. Each is a line of a table: how its argument is stored, and what it does to the stack. Their meaning is
 * that of pickletools.py in Python's library. */
#include "pickle.h"

#include <string.h>

#include "cmus/memory.h"
#include "pickle_internal.h"

enum { STACK_LIMIT = 1 << 20, NEWEST_PROTOCOL = 5 };

typedef struct pickle_machine {
    cmus_pickle *pickle;
    const uint8_t *data;
    size_t size, at, opcode_at; /* opcode_at: the opcode at work, for messages */
    cmus_pickle_value **stack, **memo;
    size_t depth, stack_capacity, memo_count, memo_capacity;
    cmus_pickle_value mark;
    bool stopped;
} pickle_machine;

/* How the argument of an opcode is stored. */
typedef enum argument_form {
    NO_ARGUMENT,
    UNSIGNED_1,
    UNSIGNED_2,
    UNSIGNED_4,
    SIGNED_4,
    EIGHT_BYTES,
    TEXT_1, /* a length of that many bytes and the text */
    TEXT_4,
    TEXT_8,
    TWO_LINES
} argument_form;

typedef struct pickle_argument {
    int64_t number;
    const char *text, *second; /* second: of TWO_LINES */
    size_t length, second_length;
} pickle_argument;

typedef struct pickle_opcode {
    uint8_t code;
    argument_form form;
    cmus_status (*run)(pickle_machine *machine, const pickle_argument *argument, int detail);
    int detail;
} pickle_opcode;

static cmus_status refuse(const pickle_machine *machine, const char *what) {
    cmus_pickle_refuse(machine->pickle, "byte %zu of its pickle: %s", machine->opcode_at, what);
    return CMUS_ERROR_FORMAT; /* which shows the compiler that it is a failure */
}

/* The stack. */

static cmus_status push(pickle_machine *machine, cmus_pickle_value *value) {
    if (machine->depth == STACK_LIMIT)
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: a stack of more than %d values", machine->pickle->name, STACK_LIMIT);
    machine->stack = cmus_grow(machine->stack, &machine->stack_capacity, machine->depth + 1, sizeof *machine->stack);
    machine->stack[machine->depth++] = value;
    return CMUS_OK;
}

/* The top of the stack, which must be a value. */
static cmus_status peek(const pickle_machine *machine, cmus_pickle_value **value) {
    if (machine->depth == 0 || machine->stack[machine->depth - 1]->kind == CMUS_PICKLE_MARK)
        return refuse(machine, "the stack has too few values");
    *value = machine->stack[machine->depth - 1];
    return CMUS_OK;
}

static cmus_status pop(pickle_machine *machine, cmus_pickle_value **value) {
    CMUS_TRY(peek(machine, value));
    machine->depth--;
    return CMUS_OK;
}

/* Takes the last mark and the values above it away; they stay readable in stack[*first] .. [*first + *count - 1] until
 * the next push. */
static cmus_status pop_to_mark(pickle_machine *machine, size_t *first, size_t *count) {
    size_t at = machine->depth;
    while (at > 0 && machine->stack[at - 1]->kind != CMUS_PICKLE_MARK)
        at--;
    if (at == 0)
        return refuse(machine, "there is no mark on the stack");
    *first = at;
    *count = machine->depth - at;
    machine->depth = at - 1;
    return CMUS_OK;
}

static cmus_status push_new(pickle_machine *machine, cmus_pickle_kind kind, cmus_pickle_value **value) {
    CMUS_TRY(cmus_pickle_add(machine->pickle, kind, value));
    return push(machine, *value);
}

/* What opcodes do. `detail` tells apart those that share a function. */

static cmus_status run_protocol(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)detail;
    if (argument->number > NEWEST_PROTOCOL)
        return refuse(machine, "a protocol of pickles that is not known");
    return CMUS_OK;
}

static cmus_status run_nothing(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)machine, (void)argument, (void)detail;
    return CMUS_OK;
}

static cmus_status run_stop(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)argument, (void)detail;
    cmus_pickle_value *top;
    CMUS_TRY(pop(machine, &top));
    machine->pickle->top = top;
    machine->stopped = true;
    return CMUS_OK;
}

static cmus_status run_mark(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)argument, (void)detail;
    return push(machine, &machine->mark);
}

/* detail: a kind without content. */
static cmus_status run_empty(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)argument;
    cmus_pickle_value *value;
    return push_new(machine, (cmus_pickle_kind)detail, &value);
}

static cmus_status run_bool(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)argument;
    cmus_pickle_value *value;
    CMUS_TRY(push_new(machine, CMUS_PICKLE_BOOL, &value));
    value->integer = detail;
    return CMUS_OK;
}

static cmus_status run_integer(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)detail;
    cmus_pickle_value *value;
    CMUS_TRY(push_new(machine, CMUS_PICKLE_INTEGER, &value));
    value->integer = argument->number;
    return CMUS_OK;
}

/* detail: the kind. */
static cmus_status run_text(pickle_machine *machine, const pickle_argument *argument, int detail) {
    cmus_pickle_value *value;
    CMUS_TRY(push_new(machine, (cmus_pickle_kind)detail, &value));
    value->text = argument->text;
    value->length = argument->length;
    return CMUS_OK;
}

/* An integer in two's complement, low byte first; one of more than 64 bits is kept as its bytes. */
static cmus_status run_long(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)detail;
    if (argument->length > sizeof(int64_t))
        return run_text(machine, argument, CMUS_PICKLE_BYTES_OBJECT);
    const unsigned char *bytes = (const unsigned char *)argument->text;
    uint64_t bits = argument->length && bytes[argument->length - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = argument->length; i-- > 0;)
        bits = bits << 8 | bytes[i];
    pickle_argument number = {.number = (int64_t)bits};
    return run_integer(machine, &number, 0);
}

static cmus_status run_tuple(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)argument, (void)detail;
    size_t first, count;
    CMUS_TRY(pop_to_mark(machine, &first, &count));
    cmus_pickle_value *tuple;
    CMUS_TRY(cmus_pickle_add(machine->pickle, CMUS_PICKLE_TUPLE, &tuple));
    for (size_t i = 0; i < count; i++)
        cmus_pickle_append(tuple, machine->stack[first + i]);
    return push(machine, tuple);
}

/* detail: the number of items, 1 to 3. */
static cmus_status run_short_tuple(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)argument;
    cmus_pickle_value *items[3], *tuple;
    for (int i = detail; i-- > 0;)
        CMUS_TRY(pop(machine, &items[i]));
    CMUS_TRY(push_new(machine, CMUS_PICKLE_TUPLE, &tuple));
    for (int i = 0; i < detail; i++)
        cmus_pickle_append(tuple, items[i]);
    return CMUS_OK;
}

/* Puts values on the stack, from `first` on, into the container below them. */
static cmus_status put_items(pickle_machine *machine, cmus_pickle_kind kind, size_t first, size_t count) {
    cmus_pickle_value *container;
    CMUS_TRY(peek(machine, &container));
    if (container->kind != kind)
        return refuse(machine, kind == CMUS_PICKLE_DICT ? "items for something that is no dict"
                                                        : "items for something that is no list");
    if (kind == CMUS_PICKLE_DICT && count % 2 != 0)
        return refuse(machine, "a key without a value");
    for (size_t i = 0; i < count; i++)
        cmus_pickle_append(container, machine->stack[first + i]);
    return CMUS_OK;
}

/* detail: the kind of the container. */
static cmus_status run_items(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)argument;
    size_t first, count;
    CMUS_TRY(pop_to_mark(machine, &first, &count));
    return put_items(machine, (cmus_pickle_kind)detail, first, count);
}

static cmus_status run_item(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)argument;
    size_t count = detail == CMUS_PICKLE_DICT ? 2 : 1;
    for (size_t i = 0; i < count; i++) {
        cmus_pickle_value *item;
        CMUS_TRY(pop(machine, &item));
    }
    return put_items(machine, (cmus_pickle_kind)detail, machine->depth, count);
}

/* Writers count their memo from 0, or from 1 (Python 2): a number beyond the bytes so far would only take memory. */
static cmus_status remember(pickle_machine *machine, size_t index) {
    cmus_pickle_value *value;
    CMUS_TRY(peek(machine, &value));
    if (index > machine->opcode_at)
        return refuse(machine, "a place in the memo that is far from the others");
    machine->memo = cmus_grow(machine->memo, &machine->memo_capacity, index + 1, sizeof *machine->memo);
    if (machine->memo_count <= index)
        machine->memo_count = index + 1;
    machine->memo[index] = value;
    return CMUS_OK;
}

static cmus_status run_put(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)detail;
    return remember(machine, (size_t)argument->number);
}

static cmus_status run_memoize(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)argument, (void)detail;
    return remember(machine, machine->memo_count);
}

static cmus_status run_get(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)detail;
    if ((size_t)argument->number >= machine->memo_count || !machine->memo[argument->number])
        return refuse(machine, "a place in the memo that is empty");
    return push(machine, machine->memo[argument->number]);
}

static cmus_status run_global(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)detail;
    const cmus_pickle_callable *callable;
    CMUS_TRY(cmus_pickle_callable_find(machine->pickle, argument->text, argument->length, argument->second,
                                       argument->second_length, &callable));
    cmus_pickle_value *value;
    CMUS_TRY(push_new(machine, CMUS_PICKLE_CALLABLE, &value));
    value->callable = callable;
    return CMUS_OK;
}

static cmus_status run_stack_global(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)argument;
    cmus_pickle_value *module, *name;
    CMUS_TRY(pop(machine, &name));
    CMUS_TRY(pop(machine, &module));
    if (module->kind != CMUS_PICKLE_TEXT || name->kind != CMUS_PICKLE_TEXT)
        return refuse(machine, "the name of a callable is no text");
    pickle_argument names = {
        .text = module->text, .length = module->length, .second = name->text, .second_length = name->length};
    return run_global(machine, &names, detail);
}

static cmus_status run_reduce(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)argument, (void)detail;
    cmus_pickle_value *callable, *arguments, *result;
    CMUS_TRY(pop(machine, &arguments));
    CMUS_TRY(pop(machine, &callable));
    if (callable->kind != CMUS_PICKLE_CALLABLE || arguments->kind != CMUS_PICKLE_TUPLE)
        return refuse(machine, "a call of something that can't be called");
    CMUS_TRY(cmus_pickle_call(machine->pickle, callable, arguments, &result));
    return push(machine, result);
}

/* Attributes of an object: state_dict() gives its OrderedDict the attribute _metadata, which is not needed. */
static cmus_status run_build(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)argument, (void)detail;
    cmus_pickle_value *state, *object;
    CMUS_TRY(pop(machine, &state));
    CMUS_TRY(peek(machine, &object));
    if (state->kind != CMUS_PICKLE_DICT || object->kind != CMUS_PICKLE_DICT)
        return refuse(machine, "attributes of something that is no dict");
    return CMUS_OK;
}

static cmus_status run_persistent(pickle_machine *machine, const pickle_argument *argument, int detail) {
    (void)argument, (void)detail;
    cmus_pickle_value *id, *result;
    CMUS_TRY(pop(machine, &id));
    CMUS_TRY(cmus_pickle_persistent(machine->pickle, id, &result));
    return push(machine, result);
}

static const pickle_opcode opcodes[] = {
    {'(', NO_ARGUMENT, run_mark, 0},
    {')', NO_ARGUMENT, run_empty, CMUS_PICKLE_TUPLE},
    {'.', NO_ARGUMENT, run_stop, 0},
    {'B', TEXT_4, run_text, CMUS_PICKLE_BYTES_OBJECT},
    {'C', TEXT_1, run_text, CMUS_PICKLE_BYTES_OBJECT},
    {'G', EIGHT_BYTES, run_empty, CMUS_PICKLE_NUMBER},
    {'J', SIGNED_4, run_integer, 0},
    {'K', UNSIGNED_1, run_integer, 0},
    {'M', UNSIGNED_2, run_integer, 0},
    {'N', NO_ARGUMENT, run_empty, CMUS_PICKLE_NONE},
    {'Q', NO_ARGUMENT, run_persistent, 0},
    {'R', NO_ARGUMENT, run_reduce, 0},
    {'T', TEXT_4, run_text, CMUS_PICKLE_TEXT}, /* a text of Python 2, as the next one */
    {'U', TEXT_1, run_text, CMUS_PICKLE_TEXT},
    {'X', TEXT_4, run_text, CMUS_PICKLE_TEXT},
    {']', NO_ARGUMENT, run_empty, CMUS_PICKLE_LIST},
    {'a', NO_ARGUMENT, run_item, CMUS_PICKLE_LIST},
    {'b', NO_ARGUMENT, run_build, 0},
    {'c', TWO_LINES, run_global, 0},
    {'e', NO_ARGUMENT, run_items, CMUS_PICKLE_LIST},
    {'h', UNSIGNED_1, run_get, 0},
    {'j', UNSIGNED_4, run_get, 0},
    {'q', UNSIGNED_1, run_put, 0},
    {'r', UNSIGNED_4, run_put, 0},
    {'s', NO_ARGUMENT, run_item, CMUS_PICKLE_DICT},
    {'t', NO_ARGUMENT, run_tuple, 0},
    {'u', NO_ARGUMENT, run_items, CMUS_PICKLE_DICT},
    {'}', NO_ARGUMENT, run_empty, CMUS_PICKLE_DICT},
    {0x80, UNSIGNED_1, run_protocol, 0},
    {0x85, NO_ARGUMENT, run_short_tuple, 1},
    {0x86, NO_ARGUMENT, run_short_tuple, 2},
    {0x87, NO_ARGUMENT, run_short_tuple, 3},
    {0x88, NO_ARGUMENT, run_bool, 1},
    {0x89, NO_ARGUMENT, run_bool, 0},
    {0x8A, TEXT_1, run_long, 0},
    {0x8B, TEXT_4, run_long, 0},
    {0x8C, TEXT_1, run_text, CMUS_PICKLE_TEXT},
    {0x8D, TEXT_8, run_text, CMUS_PICKLE_TEXT},
    {0x93, NO_ARGUMENT, run_stack_global, 0},
    {0x94, NO_ARGUMENT, run_memoize, 0},
    {0x95, EIGHT_BYTES, run_nothing, 0}, /* a frame: a hint for reading ahead */
};

/* Reading of arguments. */

static cmus_status take(pickle_machine *machine, size_t count, const uint8_t **bytes) {
    *bytes = machine->data + machine->at;
    if (count > machine->size - machine->at)
        return refuse(machine, "the pickle is cut short");
    machine->at += count;
    return CMUS_OK;
}

static cmus_status take_number(pickle_machine *machine, size_t count, uint64_t *number) {
    const uint8_t *bytes;
    CMUS_TRY(take(machine, count, &bytes));
    *number = 0;
    for (size_t i = count; i-- > 0;)
        *number = *number << 8 | bytes[i];
    return CMUS_OK;
}

static cmus_status take_text(pickle_machine *machine, size_t length_bytes, pickle_argument *argument) {
    uint64_t length;
    CMUS_TRY(take_number(machine, length_bytes, &length));
    if (length > machine->size)
        return refuse(machine, "the pickle is cut short");
    const uint8_t *text;
    CMUS_TRY(take(machine, (size_t)length, &text));
    argument->text = (const char *)text;
    argument->length = (size_t)length;
    return CMUS_OK;
}

static cmus_status take_line(pickle_machine *machine, const char **text, size_t *length) {
    const uint8_t *begin = machine->data + machine->at;
    const uint8_t *end = memchr(begin, '\n', machine->size - machine->at);
    if (!end)
        return refuse(machine, "the pickle is cut short");
    *text = (const char *)begin;
    *length = (size_t)(end - begin);
    machine->at += *length + 1;
    return CMUS_OK;
}

static cmus_status take_argument(pickle_machine *machine, argument_form form, pickle_argument *argument) {
    static const size_t bytes[] = {[UNSIGNED_1] = 1,  [UNSIGNED_2] = 2, [UNSIGNED_4] = 4, [SIGNED_4] = 4,
                                   [EIGHT_BYTES] = 8, [TEXT_1] = 1,     [TEXT_4] = 4,     [TEXT_8] = 8};
    uint64_t number;
    switch (form) {
    case NO_ARGUMENT:
        return CMUS_OK;
    case TEXT_1:
    case TEXT_4:
    case TEXT_8:
        return take_text(machine, bytes[form], argument);
    case TWO_LINES:
        CMUS_TRY(take_line(machine, &argument->text, &argument->length));
        return take_line(machine, &argument->second, &argument->second_length);
    default:
        CMUS_TRY(take_number(machine, bytes[form], &number));
        argument->number = form == SIGNED_4 ? (int32_t)number : (int64_t)number;
        return CMUS_OK;
    }
}

static cmus_status step(pickle_machine *machine) {
    machine->opcode_at = machine->at;
    const uint8_t *code;
    CMUS_TRY(take(machine, 1, &code));
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        if (opcodes[i].code == *code) {
            pickle_argument argument = {0};
            CMUS_TRY(take_argument(machine, opcodes[i].form, &argument));
            return opcodes[i].run(machine, &argument, opcodes[i].detail);
        }
    }
    return cmus_pickle_refuse(machine->pickle, "byte %zu of its pickle: opcode 0x%02X, which no file of weights needs",
                              machine->opcode_at, *code);
}

cmus_status cmus_pickle_read(const char *name, const uint8_t *data, size_t size, cmus_pickle **result, size_t *used) {
    cmus_pickle *pickle = cmus_allocate(1, sizeof *pickle);
    pickle->name = name;
    pickle_machine machine = {.pickle = pickle, .data = data, .size = size, .mark = {.kind = CMUS_PICKLE_MARK}};
    cmus_status status = CMUS_OK;
    while (status == CMUS_OK && !machine.stopped)
        status = step(&machine);
    if (status == CMUS_OK)
        status = cmus_pickle_unite_storages(pickle);
    cmus_free(machine.stack);
    cmus_free(machine.memo);
    *used = machine.at;
    if (status != CMUS_OK) {
        cmus_pickle_free(pickle);
        pickle = NULL;
    }
    *result = pickle;
    return status;
}
