// SPDX-License-Identifier: Apache-2.0
//
// The only C++ of the project: gives a Verilated top (class Vtop, whatever module it is made from) the C interface of
// edge.h. Compiled once per top by verilate.mk.

#include "edge.h"

#include "Vtop.h"
#include "verilated.h"
#include "verilated_fst_c.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace
{

struct Top {
	VerilatedContext context;
	std::unique_ptr<Vtop> model;
	std::unique_ptr<VerilatedFstC> trace;
	std::string failure;
	bool finished = false;
	uint64_t time = 0; // ns; a cycle is 4 ns
};

// The run-time library reports $stop, $error and $fatal through global functions; an executable has one top.
Top *current;

void dump(Top *top)
{
	if (top->trace)
		top->trace->dump(top->time);
	top->time += 2;
}

void settle(void *opaque, const struct vhp_edge_in *in, struct vhp_edge_out *out)
{
	Top *top = static_cast<Top *>(opaque);
	Vtop *m = top->model.get();

#define COPY_IN(type, port) m->port = in->port;
#define COPY_IN_WIDE(words, port) std::memcpy(m->port.data(), in->port, sizeof(in->port));
	VHP_EDGE_INPUTS(COPY_IN, COPY_IN_WIDE)
	m->user_clk = 0;
	m->eval();
	dump(top);
#define COPY_OUT(type, port) out->port = m->port;
#define COPY_OUT_WIDE(words, port) std::memcpy(out->port, m->port.data(), sizeof(out->port));
	VHP_EDGE_OUTPUTS(COPY_OUT, COPY_OUT_WIDE)
}

void edge(void *opaque)
{
	Top *top = static_cast<Top *>(opaque);

	top->model->user_clk = 1;
	top->model->eval();
	dump(top);
}

const char *failure(void *opaque)
{
	Top *top = static_cast<Top *>(opaque);

	return top->failure.empty() ? nullptr : top->failure.c_str();
}

void flush(void *opaque)
{
	Top *top = static_cast<Top *>(opaque);

	if (top->trace)
		top->trace->flush();
}

} // namespace

void vl_finish(const char *, int, const char *)
{
	if (current)
		current->finished = true;
}

void vl_stop(const char *file, int line, const char *hier)
{
	std::string text = std::string(file) + ":" + std::to_string(line) + ": assertion failed or $error in " +
		(hier ? hier : "");

	if (!current) {
		std::fprintf(stderr, "%s\n", text.c_str());
		std::exit(1);
	}
	if (current->failure.empty())
		current->failure = text;
}

// The evaluation cannot go on after this one.
void vl_fatal(const char *file, int line, const char *hier, const char *msg)
{
	std::fprintf(stderr, "%s:%d: fatal: %s %s\n", file, line, msg ? msg : "", hier ? hier : "");
	if (current)
		flush(current);
	std::fflush(nullptr);
	_exit(1);
}

extern "C" const struct vhp_top_ops vhp_verilated_ops = { settle, edge, failure, flush };

extern "C" void *vhp_verilated_create(uint64_t seed, int argc, const char *const *argv)
{
	Top *top = new Top;
	std::vector<const char *> args = { "vhp" };

	for (int i = 0; i < argc; i++)
		if (argv[i][0] == '+')
			args.push_back(argv[i]);
	current = top;
	top->context.randReset(2);
	top->context.randSeed(static_cast<int>((seed ^ (seed >> 31)) & 0x7fffffff) | 1);
	top->context.traceEverOn(true);
	top->context.commandArgs(static_cast<int>(args.size()), args.data());
	top->model = std::make_unique<Vtop>(&top->context, "top");
	return top;
}

extern "C" void vhp_verilated_destroy(void *opaque)
{
	Top *top = static_cast<Top *>(opaque);

	if (!top)
		return;
	top->model->final();
	if (top->trace)
		top->trace->close();
	if (current == top)
		current = nullptr;
	delete top;
}

extern "C" int vhp_verilated_trace(void *opaque, const char *path)
{
	Top *top = static_cast<Top *>(opaque);

	if (top->trace) {
		top->trace->close();
		top->trace.reset();
	}
	if (!path)
		return 0;
	if (FILE *f = std::fopen(path, "wb"))
		std::fclose(f);
	else
		return -EIO;
	top->trace = std::make_unique<VerilatedFstC>();
	top->model->trace(top->trace.get(), 99);
	top->trace->open(path);
	return top->trace->isOpen() ? 0 : -EIO;
}

extern "C" bool vhp_verilated_finished(void *opaque)
{
	return static_cast<Top *>(opaque)->finished;
}
