# The server, the command line and nothing else: `docker build -t opscore .`
#
#   docker run --rm -p 8080:8080 -e OPSCORE_API_KEY=... opscore
#   docker run --rm opscore help

FROM node:22-alpine AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json rolldown.config.ts ./
COPY gen gen
COPY src src
RUN npm run --silent build
# What is left is what the built code needs.
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:22-alpine
WORKDIR /opscore
ENV NODE_ENV=production \
    OPSCORE_HOST=0.0.0.0 \
    OPSCORE_PORT=8080 \
    OPSCORE_LOG_FORMAT=json
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
USER node
EXPOSE 8080
# Of whatever OPSCORE_URL names: the server in this container, unless it is told otherwise.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
    CMD ["node", "dist/src/cli/main.js", "health", "--timeout", "3s"]
ENTRYPOINT ["node", "dist/src/cli/main.js"]
CMD ["serve"]
