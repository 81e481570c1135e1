// SPDX-License-Identifier: Apache-2.0
//
// One TCP connection, both directions: `tcpcat listen PORT` or `tcpcat connect ADDRESS PORT`. Sends standard input, then ends
// its direction; writes what comes in to standard output until the other side ends its own. Exit code 0 only if both went well.

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "tcpcat: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_socket(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY) };
	int listening = argc == 3 && strcmp(argv[1], "listen") == 0;
	int one = 1;
	int fd, conn;

	if (!listening &&
	    !(argc == 4 && strcmp(argv[1], "connect") == 0 && inet_pton(AF_INET, argv[2], &addr.sin_addr) == 1)) {
		fprintf(stderr, "usage: tcpcat listen PORT | connect ADDRESS PORT\n");
		exit(2);
	}
	addr.sin_port = htons((unsigned short)atoi(argv[argc - 1]));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket");
	if (!listening) {
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0)
			die("connect");
		return fd;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(fd, 1) != 0)
		die("listen");
	conn = accept(fd, NULL, NULL);
	if (conn < 0)
		die("accept");
	close(fd);
	return conn;
}

static void write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0)
			die("write");
		data += n;
		len -= (size_t)n;
	}
}

int main(int argc, char **argv)
{
	static char buf[65536];
	int fd = open_socket(argc, argv);
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0)
			die("poll");
		if (p[0].fd >= 0 && p[0].revents) {
			ssize_t n = read(fd, buf, sizeof(buf));

			if (n < 0)
				die("receive");
			if (n == 0)
				p[0].fd = -1;
			write_all(STDOUT_FILENO, buf, (size_t)n);
		}
		if (p[1].fd >= 0 && p[1].revents) {
			ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

			if (n < 0)
				die("standard input");
			if (n > 0) {
				write_all(fd, buf, (size_t)n);
			} else {
				p[1].fd = -1;
				shutdown(fd, SHUT_WR);
			}
		}
	}
	return 0;
}
