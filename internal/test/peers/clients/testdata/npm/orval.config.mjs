// orval writes the address of the service into what it makes.
export default {
  diresco: {
    input: process.env.CONTRACT,
    output: { target: "generated/orval/client.ts", client: "fetch", mode: "split", baseUrl: process.env.API, tsconfig: "./tsconfig.json" },
  },
};
