__global__ void scale(float a, const float* x, float* ax, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) ax[i] = a * x[i];
}

__global__ void add(const float* ax, const float* y, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = ax[i] + y[i];
}

extern "C" __attribute__((visibility("default")))
int saxpy(float a, const float* x, const float* y, float* out, float* workspace, int n,
          cudaStream_t stream) {
    int blocks = (n + 255) / 256;
    scale<<<blocks, 256, 0, stream>>>(a, x, workspace, n);
    add<<<blocks, 256, 0, stream>>>(workspace, y, out, n);
    return cudaGetLastError();
}
