const options = {url: "../v3/api-docs", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null};
window.onload = () => SwaggerUIBundle(options);
