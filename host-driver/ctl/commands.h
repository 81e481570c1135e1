/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The commands of vhpctl that need no running process: release images and the card's flash. Each has a --help of its own.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

/** `vhpctl image ...` and `vhpctl flash ...`; argv[0] is the command's name. @return the program's exit status */
int command_image(int argc, char **argv);
int command_flash(int argc, char **argv);

/** The certificate that signatures are checked with: @p given (--cert), or the installed one. @return NULL: there is none */
const char *command_certificate(const char *given);

/** Exit status of both. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,      /**< damaged, different, or the card did not do it */
	EXIT_REFUSED = 2,     /**< not done, and nothing was changed: wrong board, unsigned, in use */
	EXIT_OTHER_IMAGE = 3, /**< the card is there, with another image than the one wanted */
	EXIT_USAGE = 64,
	EXIT_INTERRUPTED = 130,
};

#endif
