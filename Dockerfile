# docker build --build-arg VERSION=1.2.3 --build-arg COMMIT=$(git rev-parse HEAD) -t diresco .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ARG COMMIT=unknown
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT}" -o /out/diresco ./cmd/diresco \
 && install -d -m 1777 /out/tmp \
 && install -d -m 0700 /out/data

# Nothing but the binary (time zones are inside it), the CA certificates and two directories to write to: no shell.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/tmp /tmp
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/diresco /diresco
USER 65532:65532
# DIRESCO_DATA_DIR is left to whoever runs it: keys made inside a container would be lost with it. Mount a volume at /data,
# or keep keys and files elsewhere.
# Metrics are on 9090: for who scrapes them, never published.
ENV DIRESCO_ADDR=0.0.0.0:8080 DIRESCO_ADMIN_ADDR=0.0.0.0:9090
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/diresco", "health"]
ENTRYPOINT ["/diresco"]
CMD ["serve"]
LABEL org.opencontainers.image.title="diresco" org.opencontainers.image.licenses="EUPL-1.2"
