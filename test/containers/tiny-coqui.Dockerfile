# The Coqui engine's image with a tiny model in it, made by the library here: nothing is downloaded.
FROM tts-gateway-coqui
COPY engines/coqui/tests tests
RUN python tests/tiny_models.py /models/tiny
ENV COQUI_MODEL= COQUI_CHECKPOINT=/models/tiny/model.pth
