// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU TCG plugin: instructions that the guest's kernel executes between two
 * marker instructions in user space (marker.h).
 *
 *	-plugin plugin.so,out=FILE[,profile=on]
 *
 * Each translation block of the kernel has a counter that QEMU increments inline
 * when it executes the block. For each window FILE gets a line
 *
 *	window KERNEL USER REP
 *
 * with instructions, and with profile=on one for each block that was executed
 *
 *	tb ADDRESS INSTRUCTIONS TIMES REP
 *
 * With -icount, an iteration of a string instruction after its first is a block of
 * its own, which begins with that instruction: a block that begins so counts as an
 * iteration (REP), and without its first instruction. Without -icount, QEMU 10
 * loops inside of the block that the instruction is in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marker.h"
#include "qemu-plugin.h"

#define KERNEL		0x8000000000000000ull
#define CHUNK		8192	/* blocks for each scoreboard */
#define MAX_CHUNKS	256
#define HASH_SIZE	(1u << 16)

struct block {
	uint64_t addr;
	uint64_t start;		/* counter at the beginning of the window */
	unsigned int insns;
	unsigned int next;	/* in its hash chain, plus one */
	bool rep;
};

static struct {
	FILE *out;
	bool profile;
	bool open;
	qemu_plugin_u64 user;
	uint64_t user_start;
	struct block *chunks[MAX_CHUNKS];
	struct qemu_plugin_scoreboard *scores[MAX_CHUNKS];
	unsigned int nr_blocks;
	unsigned int hash[HASH_SIZE];	/* index plus one */
} state;

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static struct block *block_at(unsigned int i)
{
	return &state.chunks[i / CHUNK][i % CHUNK];
}

static qemu_plugin_u64 counter(unsigned int i)
{
	return (qemu_plugin_u64){ state.scores[i / CHUNK], i % CHUNK * sizeof(uint64_t) };
}

static unsigned int hash(uint64_t addr, unsigned int insns)
{
	return ((addr * 31 + insns) * 0x9e3779b97f4a7c15ull) >> 48;
}

/* A block that QEMU translates again goes on with the counter that it had. */
static unsigned int find_block(uint64_t addr, unsigned int insns)
{
	unsigned int *head = &state.hash[hash(addr, insns)];
	unsigned int i;
	struct block *b;

	for (i = *head; i; i = b->next) {
		b = block_at(i - 1);
		if (b->addr == addr && b->insns == insns)
			return i - 1;
	}
	i = state.nr_blocks;
	if (i == CHUNK * MAX_CHUNKS) {
		fprintf(stderr, "plugin: more than %u blocks\n", i);
		abort();
	}
	if (i % CHUNK == 0) {
		state.chunks[i / CHUNK] = calloc(CHUNK, sizeof(struct block));
		state.scores[i / CHUNK] = qemu_plugin_scoreboard_new(CHUNK * sizeof(uint64_t));
		if (!state.chunks[i / CHUNK])
			abort();
	}
	b = block_at(i);
	b->addr = addr;
	b->insns = insns;
	b->next = *head;
	*head = ++state.nr_blocks;
	return i;
}

static void window_start(unsigned int cpu, void *data)
{
	unsigned int i;

	for (i = 0; i < state.nr_blocks; i++)
		block_at(i)->start = qemu_plugin_u64_sum(counter(i));
	state.user_start = qemu_plugin_u64_sum(state.user);
	state.open = true;
}

static void window_end(unsigned int cpu, void *data)
{
	uint64_t times, kernel = 0, rep = 0;
	unsigned int i;

	if (!state.open)
		return;
	state.open = false;
	for (i = 0; i < state.nr_blocks; i++) {
		const struct block *b = block_at(i);

		times = qemu_plugin_u64_sum(counter(i)) - b->start;
		kernel += times * (b->insns - b->rep);
		rep += times * b->rep;
	}
	fprintf(state.out, "window %lu %lu %lu\n", kernel,
		qemu_plugin_u64_sum(state.user) - state.user_start, rep);
	for (i = 0; state.profile && i < state.nr_blocks; i++) {
		const struct block *b = block_at(i);

		times = qemu_plugin_u64_sum(counter(i)) - b->start;
		if (times)
			fprintf(state.out, "tb %lx %u %lu %d\n", b->addr, b->insns - b->rep,
				times, b->rep);
	}
	fflush(state.out);
}

/* movs, stos, lods, cmps, scas, ins or outs with a REP prefix */
static bool is_rep(const struct qemu_plugin_insn *insn)
{
	uint8_t code[15];
	size_t i, len = qemu_plugin_insn_data(insn, code, sizeof(code));
	bool rep = false;

	for (i = 0; i < len; i++) {
		switch (code[i]) {
		case 0xf2:
		case 0xf3:
			rep = true;
			break;
		case 0x66:
		case 0x67:
		case 0x40 ... 0x4f:
			break;
		case 0x6c ... 0x6f:
		case 0xa4 ... 0xa7:
		case 0xaa ... 0xaf:
			return rep;
		default:
			return false;
		}
	}
	return false;
}

static void look_for_markers(struct qemu_plugin_tb *tb, size_t insns)
{
	static const uint8_t start[] = { MARKER_START }, end[] = { MARKER_END };
	uint8_t code[sizeof(start)];
	size_t i;

	for (i = 0; i < insns; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (qemu_plugin_insn_data(insn, code, sizeof(code)) != sizeof(code))
			continue;
		if (!memcmp(code, start, sizeof(code)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, window_start,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		else if (!memcmp(code, end, sizeof(code)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, window_end,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
	}
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	uint64_t addr = qemu_plugin_tb_vaddr(tb);
	size_t insns = qemu_plugin_tb_n_insns(tb);
	unsigned int i;

	if (addr < KERNEL) {
		qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, QEMU_PLUGIN_INLINE_ADD_U64,
								  state.user, insns);
		look_for_markers(tb, insns);
		return;
	}
	i = find_block(addr, insns);
	block_at(i)->rep = is_rep(qemu_plugin_tb_get_insn(tb, 0));
	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, QEMU_PLUGIN_INLINE_ADD_U64,
							  counter(i), 1);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info,
					   int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4)) {
			state.out = fopen(argv[i] + 4, "w");
		} else if (!strcmp(argv[i], "profile=on")) {
			state.profile = true;
		} else {
			fprintf(stderr, "plugin: what is %s?\n", argv[i]);
			return -1;
		}
	}
	if (!state.out) {
		fprintf(stderr, "plugin: no file to write (out=FILE)\n");
		return -1;
	}
	state.user.score = qemu_plugin_scoreboard_new(sizeof(uint64_t));
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
