# docker build -t vpsmon .
#
# Another base, for example an internal mirror or Alpine: --build-arg BASE=node:22-alpine
ARG BASE=node:20-bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY . .
# Installs and builds. .dockerignore keeps dist and node_modules of the checkout out; a context that brings its own dist (a
# pipeline that has built already) is taken as it is.
RUN [ -f dist/cli.js ] || npm ci

FROM ${BASE}
LABEL org.opencontainers.image.title="vpsmon" \
      org.opencontainers.image.description="Watches a small Linux server that runs its services in Docker, and says on Telegram what is about to go wrong" \
      org.opencontainers.image.licenses="MIT"
WORKDIR /opt/vpsmon
# dist has every library inside except for the two with native code, which find it by a path of their own.
COPY --from=build /src/node_modules/libsql node_modules/libsql
COPY --from=build /src/node_modules/@libsql node_modules/@libsql
COPY --from=build /src/node_modules/@neon-rs node_modules/@neon-rs
COPY --from=build /src/node_modules/detect-libc node_modules/detect-libc
COPY --from=build /src/node_modules/@resvg node_modules/@resvg
COPY --from=build /src/package.json /src/LICENSE /src/monitor.conf.example ./
COPY --from=build /src/bin bin
COPY --from=build /src/dist dist
# The state folder is the only place that is written to; a named volume takes over its owner.
RUN ln -s /opt/vpsmon/bin/vpsmon.js /usr/local/bin/vpsmon \
 && mkdir -p /etc/vpsmon /var/lib/vpsmon \
 && chown 10001:10001 /var/lib/vpsmon \
 && chmod 700 /var/lib/vpsmon
VOLUME /var/lib/vpsmon

# A number, so that no entry in passwd is needed. It may read the Docker socket with --group-add GROUP-OF-THE-SOCKET.
USER 10001:10001
# Inside of the container, loopback would be of no use: who may reach the port is decided when it is published.
ENV VPSMON_STATE_DIR=/var/lib/vpsmon HTTP_LISTEN=0.0.0.0:8080 NODE_ENV=production
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=40s --retries=3 \
  CMD ["node", "-e", "require('http').get({host:'127.0.0.1',port:process.env.HTTP_LISTEN.split(':').pop(),path:'/health',timeout:5000},r=>process.exit(r.statusCode===200?0:1)).on('timeout',()=>process.exit(1)).on('error',()=>process.exit(1))"]

# The same flags and settings as in systemd/vps-monitor.service keep node small.
ENV MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=65536 MALLOC_TOP_PAD_=16384
ENTRYPOINT ["node", "--no-opt", "--no-sparkplug", "--max-semi-space-size=1", "--single-threaded-gc", "--regexp-interpret-all", "--expose-gc", "/opt/vpsmon/bin/vpsmon.js"]
CMD ["monitor"]
